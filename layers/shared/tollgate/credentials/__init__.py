"""Provider credentials of the platform and of organizations, encrypted with KMS."""
