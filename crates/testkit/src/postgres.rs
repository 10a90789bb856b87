//! A throw-away PostgreSQL for the store suite.
