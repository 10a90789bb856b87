//! Every outgoing connection.
