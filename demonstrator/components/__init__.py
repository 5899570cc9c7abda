"""Components that several bundles are made of: the queue service, the processor service and its worker."""
