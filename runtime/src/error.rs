//! Why a block could not be executed.
