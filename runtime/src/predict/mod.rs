//! Prediction of access lists.
