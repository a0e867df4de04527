//! The commands of the program `flint`, run as a person runs them.

mod commands {
    /// Apps that are registered and stopped.
    mod app;
    /// A folder with a store and files, and the program run on them.
    mod bench;
    /// Stores that are moved.
    mod copy;
    /// What goes out comes in again.
    mod export;
    /// What is imported, and how it is told.
    mod import;
    /// Packages that come and go.
    mod package;
    /// Imports that end early, and the runs after them.
    mod resume;
    /// A server's start and its end.
    mod serve;
    /// Synthea's records, where they are present.
    mod synthea;
    /// SNOMED CT and LOINC, in files that are made up.
    mod terminology;
    /// People who may sign in.
    mod user;
}
