//! `/api/v1`: what pages and commands do, as JSON, for programs. One file a subject, as pages have; handlers
//! call the same acts of `workflow`, and answer in the shapes of the commands' `--json`.
//!
//! A route and its description are one entry ([`Api`]), so the document at `/api/openapi.json` cannot forget
//! or invent one. What a request holds is read by `asked`, what is answered is made by `answer`.

mod accounts;
mod answer;
mod asked;
mod attribution;
mod audit;
mod changes;
mod charges;
mod credits;
mod document;
mod emails;
mod imports;
mod jobs;
mod journals;
mod people;
mod periods;
mod projects;
mod rates;
mod reports;
mod review;
mod sources;
mod splits;
mod statements;
mod subsidies;

pub use answer::error;

use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::routing::{MethodFilter, MethodRouter, on};
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{IntoParams, ToSchema};

use crate::App;
use crate::access::Access;
use crate::routes::Routes;

/// Everything under `/api`.
#[must_use]
pub fn routes() -> Routes {
    let document = Routes::default().page("/api/openapi.json", Access::Viewer, document::json).page(
        "/api/docs",
        Access::Viewer,
        document::page,
    );
    subjects().into_iter().fold(document, |routes, api| routes.and(api.routes))
}

/// In the order of a month, as the document lists them.
fn subjects() -> Vec<Api> {
    vec![
        periods::api(),
        imports::api(),
        sources::api(),
        review::api(),
        charges::api(),
        statements::api(),
        emails::api(),
        journals::api(),
        reports::api(),
        projects::api(),
        attribution::api(),
        rates::api(),
        subsidies::api(),
        credits::api(),
        splits::api(),
        people::api(),
        audit::api(),
        accounts::api(),
        jobs::api(),
    ]
}

/// Every operation, as the document and tests see it.
#[must_use]
pub fn operations() -> Vec<Operation> {
    subjects().into_iter().flat_map(|api| api.operations).collect()
}

/// A route with all that is said about it.
pub struct Operation {
    pub subject: &'static str,
    pub method: &'static str,
    pub path: &'static str,
    pub access: Access,
    /// The command that does the same: `periods close`.
    pub command: &'static str,
    /// Whether the books are other books afterwards.
    pub is_act: bool,
    pub summary: &'static str,
    pub parameters: Vec<Parameter>,
    pub takes: Takes,
    pub answers: Answers,
    /// Schemas that `takes` refers to.
    pub schemas: Vec<(String, RefOr<Schema>)>,
}

/// What stands in the body of a request.
pub enum Takes {
    Nothing,
    Json {
        schema: Box<RefOr<Schema>>,
        example: &'static str,
        is_required: bool,
    },
    /// Of this kind, as it is.
    Bytes {
        kind: &'static str,
        words: &'static str,
    },
}

/// What stands in the body of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// As the command writes it with `--json`.
    AsCommand,
    /// A page of such a list: `total`, `limit`, `offset`, `items`.
    Listed,
    /// 202 and the job to look at.
    Job,
    /// Something of the API's own.
    Own(&'static str),
    /// No JSON.
    File(&'static str),
}

/// How an operation is asked for, and who may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    Read(Access),
    /// It is asked with more than fits an address, and changes nothing.
    Ask(Access),
    /// It changes the books.
    Act(Access),
    /// Files, which the handler takes up piece by piece.
    Upload(Access),
    Delete(Access),
}

impl Door {
    fn method(self) -> MethodFilter {
        match self {
            Door::Read(_) => MethodFilter::GET,
            Door::Ask(_) | Door::Act(_) | Door::Upload(_) => MethodFilter::POST,
            Door::Delete(_) => MethodFilter::DELETE,
        }
    }
}

/// The operations of a subject. What is said after a route is about that route.
pub struct Api {
    subject: &'static str,
    routes: Routes,
    operations: Vec<Operation>,
}

impl Api {
    #[must_use]
    pub fn of(subject: &'static str) -> Api {
        Api { subject, routes: Routes::default(), operations: Vec::new() }
    }

    /// An operation: how it is asked for and by whom, where, the command that does the same, what it is.
    #[must_use]
    pub fn on<H, T>(
        self,
        door: Door,
        path: &'static str,
        command: &'static str,
        summary: &'static str,
        handler: H,
    ) -> Api
    where
        H: Handler<T, App>,
        T: 'static,
    {
        self.add(door, path, command, summary, on(door.method(), handler))
    }

    fn add(
        mut self,
        door: Door,
        path: &'static str,
        command: &'static str,
        summary: &'static str,
        route: MethodRouter<App>,
    ) -> Api {
        let (method, access, is_act) = match door {
            Door::Read(access) => ("GET", access, false),
            Door::Ask(access) => ("POST", access, false),
            Door::Act(access) | Door::Upload(access) => ("POST", access, true),
            Door::Delete(access) => ("DELETE", access, true),
        };
        let is_upload = matches!(door, Door::Upload(_));
        let route = if is_upload { route.layer(DefaultBodyLimit::disable()) } else { route };
        self.routes = self.routes.operation(method, path, access, is_act.then_some(command), route);
        self.operations.push(Operation {
            subject: self.subject,
            method,
            path,
            access,
            command,
            is_act,
            summary,
            parameters: Vec::new(),
            takes: Takes::Nothing,
            answers: Answers::AsCommand,
            schemas: Vec::new(),
        });
        self
    }

    fn with(mut self, say: impl FnOnce(&mut Operation)) -> Api {
        if let Some(operation) = self.operations.last_mut() {
            say(operation);
        }
        self
    }

    /// With such values behind the `?`.
    #[must_use]
    pub fn with_query<Q: IntoParams>(self) -> Api {
        self.with(|operation| operation.parameters.extend(Q::into_params(|| Some(ParameterIn::Query))))
    }

    /// With such a body.
    #[must_use]
    pub fn takes<B: ToSchema>(self, example: &'static str) -> Api {
        self.takes_json::<B>(example, true)
    }

    /// The same, where none stands for one without any field.
    #[must_use]
    pub fn may_take<B: ToSchema>(self, example: &'static str) -> Api {
        self.takes_json::<B>(example, false)
    }

    fn takes_json<B: ToSchema>(self, example: &'static str, is_required: bool) -> Api {
        self.with(|operation| {
            operation.takes = Takes::Json { schema: Box::new(B::schema()), example, is_required };
            B::schemas(&mut operation.schemas);
        })
    }

    #[must_use]
    pub fn takes_bytes(self, kind: &'static str, words: &'static str) -> Api {
        self.with(|operation| operation.takes = Takes::Bytes { kind, words })
    }

    /// A list by pages.
    #[must_use]
    pub fn listed(self) -> Api {
        self.with(|operation| {
            operation.answers = Answers::Listed;
            operation.parameters.extend(asked::Page::into_params(|| Some(ParameterIn::Query)));
        })
    }

    #[must_use]
    pub fn begins_job(self) -> Api {
        self.with(|operation| operation.answers = Answers::Job)
    }

    #[must_use]
    pub fn answers(self, words: &'static str) -> Api {
        self.with(|operation| operation.answers = Answers::Own(words))
    }

    #[must_use]
    pub fn answers_file(self, kind: &'static str) -> Api {
        self.with(|operation| operation.answers = Answers::File(kind))
    }
}
