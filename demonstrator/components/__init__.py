"""Components that several bundles are made of: the queue's and the processor's, whatever their work is written in."""
