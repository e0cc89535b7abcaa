//! The OCI distribution specification, version 1.1 and what the next one adds.
//!
//! A test quotes the sentence that it proves, with the section in which it stands. One file for
//! each part of the protocol, in the order of the specification's table of endpoints:
//!
//! | rows | file |
//! |---|---|
//! | end-1, error bodies | [`base`] |
//! | end-2, end-3 | [`pull`], [`ranges`] |
//! | end-4a, end-4b, end-6 | [`monolithic`] |
//! | end-4c, end-5, end-6, end-13, end-14 | [`chunked`], [`resume`] |
//! | end-7a, end-7b | [`manifests`], [`media_types`], [`sparse`] |
//! | end-8a, end-8b | [`tags`] |
//! | end-9, end-10 | [`delete`] |
//! | end-11 | [`mount`] |
//! | end-12a, end-12b | [`referrers`] |
//! | several at once | [`races`] |

mod base;
mod chunked;
mod delete;
mod manifests;
mod media_types;
mod monolithic;
mod mount;
mod pull;
mod races;
mod ranges;
mod referrers;
mod resume;
mod sparse;
mod tags;
