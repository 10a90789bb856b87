//! The Pulp 2 REST API.
