//! Published content, as dnf and other clients ask for it.
