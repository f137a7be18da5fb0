//! Routes, authentication and OpenAPI.
