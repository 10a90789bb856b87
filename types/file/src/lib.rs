//! Plain files under a PULP_MANIFEST (Pulp's iso types).
