//! What stored means: one trait, an embedded engine and Elasticsearch/OpenSearch.
