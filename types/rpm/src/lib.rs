//! RPM repositories (Pulp's yum types).
