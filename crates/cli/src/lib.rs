//! Client commands over the REST API.
