//! Alert matches to Alertmanager and webhooks.
