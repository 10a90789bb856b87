//! What tests share.

pub mod postgres;
pub mod repos;
pub mod s3;
pub mod upstream;
