//! Content-addressed files and publication indexes, on disk and S3.
