//! The whole server over HTTP.

/// Authentication on: who sees what.
mod access;
/// Appointments: seats, people's times, holds, and IHE Scheduling's operations.
mod appointments;
/// Malformed, oversized and hostile bodies: a 4xx OperationOutcome each, and nothing stored.
mod backup;
mod bad_body;
/// Requests for what is not there, and in other formats.
mod bad_input;
/// Batch and transaction.
mod bundle;
/// Several servers over one MongoDB replica set: what they agree on, and what is left when a process is killed.
mod cluster;
/// Conditional create, update, patch, delete and read; versions that must be current.
mod conditional;
/// `_contained`: what is found inside other resources.
mod contained;
/// kill -9 while several clients write.
mod crash;
/// Create, read, update, patch and delete one resource.
mod crud;
/// `$demand`: the figures by which a practice plans.
mod demand;
/// What NHS clients send, with the setting for it and without.
mod dialect;
/// Directories of services: places, organisations, ratings.
mod directory;
/// `$everything`: a patient's record, page by page.
mod everything;
/// The official examples of R4, where they are present.
mod examples;
/// `_explain`: what a search did.
mod explain;
/// `$export`: what a caller may see, as files.
mod export;
/// `$fhirpath`.
mod fhirpath;
/// Histories and their pages.
mod history;
/// Chains, includes, lists and `_filter`: searches over more than one resource.
mod joins;
/// Slots that are kept for some organisations.
mod kept_slots;
/// What the server says about itself, and what every answer carries.
mod metadata;
/// Writes that clients name, so that they can be sent again.
mod once;
/// Who may change what of an appointment.
mod outside;
/// Packages of definitions: added, listed, removed.
mod packages;
/// Pages while others write.
mod paging;
/// JSON Patch, FHIRPath Patch and XML Patch.
mod patch;
/// Repeat prescriptions: plans, orders, issues.
mod prescriptions;
/// The server of tests that need one in a process of its own.
mod process;
/// `$bulk-publish`: what is open to book, for everybody.
mod publish;
/// Requests at the same time: who wins, and what is left.
mod race;
/// Search: answers, pages, views.
mod search;
/// The proof of search: a second one that looks at every resource.
mod search_oracle;
/// Search parameters that come, change and go.
mod search_parameter;
/// `$snapshot`.
mod snapshot;
/// Slots at the end of summer time.
mod summer_time;
/// The scenario of examples/surgery: find a slot and book it.
mod surgery;
/// Searches that value sets and code systems decide.
mod terminology;
/// `$expand`, `$lookup`, `$validate-code`, `$subsumes`, `$translate`.
mod terminology_operations;
/// What is not known here, asked of another server.
mod terminology_server;
/// Searches by words.
mod text;
/// The edges between crates.
mod tidy;
/// Totals: exact, estimated, none; and searches that take too long.
mod total;
/// Forms, triage and referrals.
mod triage;
/// `$validate`.
mod validate;
/// The waiting list: offers, answers, and what they replace.
mod waiting_list;
/// Resources as XML.
mod xml;
