//! The seam between pith and its content types.
