//! Speed as ratios against peers and the hardware.

fn main() {}
