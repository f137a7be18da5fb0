//! Throw-away servers, builders and archives for tests.
