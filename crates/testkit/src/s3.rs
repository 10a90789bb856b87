//! An S3 server in the test's own process.
