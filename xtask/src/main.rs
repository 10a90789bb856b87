//! Project chores: tidy checks.

fn main() {}
