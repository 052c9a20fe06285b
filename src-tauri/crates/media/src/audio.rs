//! Sound and its two pipelines.
