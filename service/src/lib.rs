//! The chassis that each service stands on: configuration, telemetry, health, TLS, shutdown.
