//! Queue order, wake-ups and live events, in process.
