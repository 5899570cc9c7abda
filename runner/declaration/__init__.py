"""The declaration of the cluster, and the certificates that follow from it."""
