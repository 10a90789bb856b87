//! Tasks, workers, and what is the same for every content type.
