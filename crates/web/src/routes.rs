//! The one list of routes: each with its method, who may use it, and the act that it is a door to. A route
//! cannot be added without saying who may use it, and tests read the list.

use axum::Router;
use axum::extract::Request;
use axum::handler::Handler;
use axum::middleware::{Next, from_fn};
use axum::routing::{MethodRouter, get, post};

use crate::App;
use crate::access::{Access, guard};

/// A route as tests see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    pub method: &'static str,
    pub path: &'static str,
    pub access: Access,
    /// The command that does the same: `periods close`. Reads have none.
    pub act: Option<&'static str>,
}

/// How the token that proves where a change comes from arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    /// Not at all: whoever signs in proves it by a password, signed in elsewhere meanwhile or not.
    None,
    /// In a header or in a form's field `csrf`: looked for before the handler runs.
    InForm,
    /// As the first part of an upload, which the handler reads itself: [`crate::upload`].
    InUpload,
}

#[derive(Default)]
pub struct Routes {
    router: Router<App>,
    listed: Vec<Listed>,
}

impl Routes {
    /// A page or a part of one: reads, and changes nothing.
    #[must_use]
    pub fn page<H, T>(self, path: &'static str, access: Access, handler: H) -> Routes
    where
        H: Handler<T, App>,
        T: 'static,
    {
        self.add("GET", path, access, None, Token::InForm, get(handler))
    }

    /// A form that is sent: `act` is the command that does the same.
    #[must_use]
    pub fn act<H, T>(self, path: &'static str, access: Access, act: &'static str, handler: H) -> Routes
    where
        H: Handler<T, App>,
        T: 'static,
    {
        self.add("POST", path, access, Some(act), Token::InForm, post(handler))
    }

    /// A form that is sent and changes nothing in the books: a preview, a test, the look of pages.
    #[must_use]
    pub fn form<H, T>(self, path: &'static str, access: Access, handler: H) -> Routes
    where
        H: Handler<T, App>,
        T: 'static,
    {
        self.add("POST", path, access, None, Token::InForm, post(handler))
    }

    /// A form for who may not be signed in yet.
    #[must_use]
    pub fn entrance<H, T>(self, path: &'static str, handler: H) -> Routes
    where
        H: Handler<T, App>,
        T: 'static,
    {
        self.add("POST", path, Access::Public, None, Token::None, post(handler))
    }

    /// Files that are sent; the handler proves the token by [`crate::upload`].
    #[must_use]
    pub fn upload<H, T>(self, path: &'static str, access: Access, act: &'static str, handler: H) -> Routes
    where
        H: Handler<T, App>,
        T: 'static,
    {
        let route = post(handler).layer(axum::extract::DefaultBodyLimit::disable());
        self.add("POST", path, access, Some(act), Token::InUpload, route)
    }

    /// A route of the API, which has its own ways ([`crate::api::Api`]).
    #[must_use]
    pub(crate) fn operation(
        self,
        method: &'static str,
        path: &'static str,
        access: Access,
        act: Option<&'static str>,
        route: MethodRouter<App>,
    ) -> Routes {
        self.add(method, path, access, act, Token::InForm, route)
    }

    fn add(
        mut self,
        method: &'static str,
        path: &'static str,
        access: Access,
        act: Option<&'static str>,
        token: Token,
        route: MethodRouter<App>,
    ) -> Routes {
        self.listed.push(Listed { method, path, access, act });
        let route =
            route.layer(from_fn(move |request: Request, next: Next| guard(access, token, request, next)));
        self.router = self.router.route(path, route);
        self
    }

    #[must_use]
    pub fn and(mut self, other: Routes) -> Routes {
        self.listed.extend(other.listed);
        self.router = self.router.merge(other.router);
        self
    }

    /// The list, and the router that was made of it.
    pub fn build(self) -> (Vec<Listed>, Router<App>) {
        (self.listed, self.router)
    }
}
