//! Small and large valid repositories, made from nothing.
