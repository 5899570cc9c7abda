"""The declaration, and what is derived from it: host selection and certificates."""
