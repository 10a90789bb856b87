//! What tests share: databases, fake upstreams with faults, small repositories.
