//! One binary that mirrors, publishes and serves software repositories.

fn main() {}
