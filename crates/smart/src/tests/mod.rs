//! The endpoints for apps, asked as a web server would, over a real store.

mod assertion;
mod bearer;
mod code;
mod discovery;
mod events;
mod external;
mod harness;
mod introspect;
mod keeper;
mod launch;
mod refresh;
mod register;
