//! Tasks, workers, and what is the same for every content type.

pub mod job;
pub mod registry;

pub use job::Job;
pub use registry::Registry;
