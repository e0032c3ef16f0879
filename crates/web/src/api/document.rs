//! The API's document (`OpenAPI` 3.1), made of the operations themselves, and a page of ours that shows it.

use std::sync::LazyLock;

use askama::Template;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::path::{OperationBuilder, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, HttpMethod, InfoBuilder, OpenApi, OpenApiBuilder, PathsBuilder, RefOr, Required,
    ResponseBuilder, ResponsesBuilder, Schema, SecurityRequirement,
};

use super::{Answers, Operation, Takes, operations};
use crate::access::Access;
use crate::error::{PageError, PageResult};
use crate::frame::Frame;

const DESCRIPTION: &str = "Every read and act of the command line and of the pages, as JSON. A program signs in by \
    a token (`Authorization: Bearer ocb_…`), which is made under *Your account* or by `focus-billing tokens add`, \
    and may do what its owner may, as far as its scope goes. Amounts are decimal texts, never floating point; \
    periods are `2025-01`; times are UTC. A list is answered by pages: `total`, `limit`, `offset`, `items`. What \
    takes longer than a request is a job, at `/api/v1/jobs/{job}`. What is refused is answered by `error` with a \
    `message`, `details` and `hints`; nothing was changed then.";

/// What a month of sample data answers, by method and path; a test keeps it so.
static EXAMPLES: LazyLock<serde_json::Map<String, Value>> =
    LazyLock::new(|| serde_json::from_str(include_str!("examples.json")).unwrap_or_default());

static DOCUMENT: LazyLock<String> = LazyLock::new(|| build().to_json().unwrap_or_default());

/// `/api/openapi.json`
pub async fn json() -> Response {
    ([(CONTENT_TYPE, "application/json")], DOCUMENT.as_str()).into_response()
}

fn build() -> OpenApi {
    let mut paths = PathsBuilder::new();
    let mut components = ComponentsBuilder::new()
        .schema("Error", error_schema())
        .security_scheme(
            "token",
            SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build()),
        )
        .security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new("session"))));
    for operation in operations() {
        let method = match operation.method {
            "GET" => HttpMethod::Get,
            "DELETE" => HttpMethod::Delete,
            _ => HttpMethod::Post,
        };
        for (name, schema) in &operation.schemas {
            components = components.schema(name.clone(), schema.clone());
        }
        paths = paths.path(operation.path, PathItem::new(method, described(&operation)));
    }
    OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("OpenChargeback")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some(DESCRIPTION))
                .build(),
        )
        .paths(paths.build())
        .components(Some(components.build()))
        .security(Some([
            SecurityRequirement::new("token", Vec::<String>::new()),
            SecurityRequirement::new("session", Vec::<String>::new()),
        ]))
        .build()
}

fn described(operation: &Operation) -> utoipa::openapi::path::Operation {
    let extensions = ExtensionsBuilder::new()
        .add("x-needs", json!(needs(operation.access)))
        .add("x-command", json!(operation.command))
        .build();
    OperationBuilder::new()
        .tag(operation.subject)
        .operation_id(Some(operation_id(operation)))
        .summary(Some(operation.summary))
        .description(Some(words(operation)))
        .parameters(Some(parameters(operation)))
        .request_body(body(operation))
        .responses(responses(operation).build())
        .extensions(Some(extensions))
        .build()
}

fn needs(access: Access) -> &'static str {
    match access {
        Access::Public => "nobody in particular",
        Access::HalfSignedIn | Access::Viewer => "viewer",
        Access::Reviewer => "reviewer",
        Access::Admin => "admin",
    }
}

fn words(operation: &Operation) -> String {
    let role = needs(operation.access);
    match operation.command {
        "" => format!("Needs the role {role}."),
        command => format!("Needs the role {role}. The command for it is `focus-billing {command}`."),
    }
}

/// `post_periods_period_close`
fn operation_id(operation: &Operation) -> String {
    let path = operation.path.trim_start_matches("/api/v1/");
    let words: String = path
        .chars()
        .filter(|c| !"{}".contains(*c))
        .map(|c| if c.is_alphanumeric() { c } else { '_' })
        .collect();
    format!("{}_{words}", operation.method.to_lowercase())
}

/// The values in the address, then those behind the `?`.
fn parameters(operation: &Operation) -> Vec<Parameter> {
    let names = operation.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let text = |name: &str| {
        ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .schema(Some(ObjectBuilder::new().schema_type(Type::String).examples([example_of(name)])))
            .build()
    };
    names.map(text).chain(operation.parameters.iter().cloned()).collect()
}

fn example_of(name: &str) -> Value {
    json!(match name {
        "period" => "2025-01",
        "charge" => "1:7",
        "number" => "S-2025-01-0001",
        "journal" => "J-2025-01-1",
        "person" => "P-1",
        "pi" => "maren.okafor@example.edu",
        "project" => "soil-microbiome",
        "message" => "2025-01.0b9f@example.edu",
        "name" => "maria",
        _ => "1",
    })
}

fn body(operation: &Operation) -> Option<RequestBody> {
    match &operation.takes {
        Takes::Nothing => None,
        Takes::Json { schema, example, is_required } => {
            let example: Option<Value> = serde_json::from_str(example).ok();
            let content = ContentBuilder::new().schema(Some((**schema).clone())).example(example).build();
            let required = if *is_required { Required::True } else { Required::False };
            Some(
                RequestBodyBuilder::new()
                    .content("application/json", content)
                    .required(Some(required))
                    .build(),
            )
        }
        Takes::Bytes { kind, words } => {
            let content = ContentBuilder::new().schema(Some(bytes())).build();
            let body = RequestBodyBuilder::new().description(Some(*words)).content(*kind, content);
            Some(body.required(Some(Required::True)).build())
        }
    }
}

fn bytes() -> Schema {
    let format = SchemaFormat::KnownFormat(KnownFormat::Binary);
    ObjectBuilder::new().schema_type(Type::String).format(Some(format)).build().into()
}

fn responses(operation: &Operation) -> ResponsesBuilder {
    let command = operation.command;
    let shape = format!("as `focus-billing {command} --json`");
    let (status, words, content) = match operation.answers {
        Answers::AsCommand => ("200", shape.clone(), Some(object(&shape))),
        Answers::Own(words) => ("200", words.to_owned(), Some(object(words))),
        Answers::Listed => {
            let items = match command {
                "" => "jobs, as they are shown one by one".to_owned(),
                _ => shape,
            };
            ("200", format!("a page of a list; its items {items}"), Some(listed(&items)))
        }
        Answers::Job => ("202", format!("the job that does it; its `result` is {shape}"), Some(job())),
        Answers::File(_) => ("200", "the file".to_owned(), Some(bytes())),
    };
    let kind = match operation.answers {
        Answers::File(kind) => kind,
        _ => "application/json",
    };
    let mut response = ResponseBuilder::new().description(words);
    if let Some(schema) = content {
        let example = EXAMPLES.get(&format!("{} {}", operation.method, operation.path)).cloned();
        response =
            response.content(kind, ContentBuilder::new().schema(Some(schema)).example(example).build());
    }
    let error = ResponseBuilder::new()
        .description(
            "refused: 400 and 422 what was asked, 401 who asks, 403 their role, 404 what is not there; nothing \
             was changed",
        )
        .content(
            "application/json",
            ContentBuilder::new().schema(Some(utoipa::openapi::Ref::from_schema_name("Error"))).build(),
        );
    ResponsesBuilder::new().response(status, response.build()).response("default", error.build())
}

fn object(words: &str) -> Schema {
    // What an act gives may be an object or a list: the command's own help has its words.
    ObjectBuilder::new()
        .schema_type(utoipa::openapi::schema::SchemaType::AnyValue)
        .description(Some(words))
        .build()
        .into()
}

fn integer() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Integer)
}

fn listed(items: &str) -> Schema {
    let array = utoipa::openapi::schema::ArrayBuilder::new().items(RefOr::T(object(items))).build();
    let mut page = ObjectBuilder::new().schema_type(Type::Object);
    for name in ["total", "limit", "offset"] {
        page = page.property(name, integer()).required(name);
    }
    page.property("items", Schema::Array(array)).required("items").build().into()
}

fn job() -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("job", integer())
        .property("at", ObjectBuilder::new().schema_type(Type::String).examples([json!("/api/v1/jobs/7")]))
        .required("job")
        .required("at")
        .build()
        .into()
}

fn error_schema() -> Schema {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let texts =
        || utoipa::openapi::schema::ArrayBuilder::new().items(RefOr::T(text().build().into())).build();
    let error = ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("message", text().description(Some("what was refused, and why")))
        .property("details", Schema::Array(texts()))
        .property("hints", Schema::Array(texts()))
        .property("request", text().description(Some("its number in the log")))
        .required("message");
    ObjectBuilder::new().schema_type(Type::Object).property("error", error).required("error").build().into()
}

/// `/api/docs`: the same document for people. Everything on it comes from the document.
#[derive(Template)]
#[template(path = "api/docs.html")]
struct DocsPage {
    frame: Frame,
    subjects: Vec<Subject>,
}

struct Subject {
    name: String,
    id: String,
    operations: Vec<Shown>,
}

struct Shown {
    id: String,
    method: String,
    path: String,
    summary: String,
    needs: String,
    command: String,
    parameters: Vec<ShownParameter>,
    fields: Vec<ShownParameter>,
    takes: String,
    body: String,
    curl: String,
    answers: String,
    example: String,
}

struct ShownParameter {
    name: String,
    place: &'static str,
    is_required: bool,
    kind: String,
    words: String,
}

pub async fn page(frame: Frame) -> PageResult<Response> {
    let document: Value = serde_json::from_str(&DOCUMENT).map_err(PageError::internal)?;
    let frame = frame.titled("API").help("api");
    crate::frame::page(&DocsPage { frame, subjects: shown(&document) })
}

fn shown(document: &Value) -> Vec<Subject> {
    let mut subjects: Vec<Subject> = Vec::new();
    // The order of the routes is the order of a month; the document's own is by address.
    for operation in operations() {
        let (path, method) = (operation.path, operation.method.to_lowercase());
        let Some(described) = document["paths"][path].get(&method) else { continue };
        let shown = show(document, path, operation.method, described);
        match subjects.last_mut() {
            Some(subject) if subject.name == operation.subject => subject.operations.push(shown),
            _ => subjects.push(Subject {
                name: operation.subject.to_owned(),
                id: operation.subject.to_lowercase(),
                operations: vec![shown],
            }),
        }
    }
    subjects
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn show(document: &Value, path: &str, method: &str, described: &Value) -> Shown {
    let parameters =
        described["parameters"].as_array().into_iter().flatten().map(|parameter| ShownParameter {
            name: text(&parameter["name"]),
            place: if parameter["in"] == "path" { "address" } else { "query" },
            is_required: parameter["required"] == true,
            kind: kind_of(document, &parameter["schema"]),
            words: text(&parameter["description"]),
        });
    let (takes, content) = described["requestBody"]["content"]
        .as_object()
        .and_then(|content| content.iter().next())
        .map_or((String::new(), &Value::Null), |(kind, content)| (kind.clone(), content));
    let responses = described["responses"].as_object();
    let good = responses.and_then(|all| all.iter().find(|(status, _)| *status != "default"));
    let answers = good.map(|(status, response)| format!("{status}: {}", text(&response["description"])));
    let example = good.and_then(|(_, response)| response["content"]["application/json"].get("example"));
    let example = example.and_then(|example| serde_json::to_string_pretty(example).ok()).unwrap_or_default();
    Shown {
        id: text(&described["operationId"]),
        method: method.to_owned(),
        path: path.to_owned(),
        summary: text(&described["summary"]),
        needs: text(&described["x-needs"]),
        command: text(&described["x-command"]),
        parameters: parameters.collect(),
        fields: fields(document, &content["schema"]),
        curl: curl(path, method, described, &takes, &content["example"]),
        takes,
        body: text(&described["requestBody"]["description"]),
        answers: answers.unwrap_or_default(),
        example: cut(example),
    }
}

/// Long ones are whole in the document alone: a page stays light.
fn cut(example: String) -> String {
    const SHOWN_LINES: usize = 40;
    if example.lines().count() <= SHOWN_LINES {
        return example;
    }
    let shown: Vec<&str> = example.lines().take(SHOWN_LINES).collect();
    format!("{}\n…", shown.join("\n"))
}

/// What `$ref` stands for.
fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let pointer = schema["$ref"].as_str().and_then(|text| text.strip_prefix('#'));
    pointer.and_then(|pointer| document.pointer(pointer)).unwrap_or(schema)
}

fn fields(document: &Value, schema: &Value) -> Vec<ShownParameter> {
    let schema = resolved(document, schema);
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let properties = schema["properties"].as_object().into_iter().flatten();
    properties
        .map(|(name, property)| ShownParameter {
            name: name.clone(),
            place: "body",
            is_required: required.contains(&name.as_str()),
            kind: kind_of(document, property),
            words: text(&property["description"]),
        })
        .collect()
}

/// `text`, `number`, `list of text`, `charges: id, period, …`
fn kind_of(document: &Value, schema: &Value) -> String {
    let one_of = ["oneOf", "allOf", "anyOf"].iter().find_map(|key| schema[*key].as_array());
    let schema = match one_of.and_then(|all| all.iter().find(|one| one["type"] != "null")) {
        Some(one) => resolved(document, one),
        None => resolved(document, schema),
    };
    if let Some(values) = schema["enum"].as_array() {
        return values.iter().map(|value| value.as_str().unwrap_or_default()).collect::<Vec<_>>().join(", ");
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::Array(kinds) => {
            kinds.iter().filter_map(Value::as_str).filter(|kind| *kind != "null").collect()
        }
        kind => kind.as_str().into_iter().collect(),
    };
    match kinds.first() {
        Some(&"array") => format!("list of {}", kind_of(document, &schema["items"])),
        Some(&"object") => {
            let names = schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name.as_str());
            format!("object of {}", names.collect::<Vec<_>>().join(", "))
        }
        Some(&"string") if schema["format"] == "date" => "date".to_owned(),
        Some(&"string") => "text".to_owned(),
        Some(&"integer" | &"number") => "number".to_owned(),
        Some(&"boolean") => "true or false".to_owned(),
        _ => "any of its forms".to_owned(),
    }
}

/// A request that can be pasted into a shell.
fn curl(path: &str, method: &str, described: &Value, takes: &str, example: &Value) -> String {
    let mut address = path.to_owned();
    let mut query = Vec::new();
    for parameter in described["parameters"].as_array().into_iter().flatten() {
        let name = text(&parameter["name"]);
        let given = parameter.get("example").or_else(|| parameter["schema"]["examples"].get(0));
        let given = given.map(|given| given.get(0).unwrap_or(given));
        let Some(given) = given.map(|given| given.as_str().map_or_else(|| given.to_string(), str::to_owned))
        else {
            continue;
        };
        if parameter["in"] == "path" {
            address = address.replace(&format!("{{{name}}}"), &given);
        } else {
            query.push(format!("{name}={}", crate::form::encoded(&given)));
        }
    }
    if takes == "application/octet-stream" {
        query.push("name=aws_2025-01.csv".to_owned());
    }
    if !query.is_empty() {
        address = format!("{address}?{}", query.join("&"));
    }
    let mut lines = vec![format!("curl -H \"Authorization: Bearer $TOKEN\"")];
    if method != "GET" {
        lines.push(format!("-X {method}"));
    }
    match takes {
        "" => {}
        "application/json" => {
            lines.push("-H 'Content-Type: application/json'".to_owned());
            lines.push(format!("-d '{}'", example.to_string().replace('\'', "'\\''")));
        }
        "multipart/form-data" => lines.push("-F files=@accounts.json".to_owned()),
        "text/csv" => lines.push("--data-binary @rules.csv".to_owned()),
        _ => lines.push("-T aws_2025-01.csv".to_owned()),
    }
    lines.push(format!("\"$SERVER{address}\""));
    lines.join(" \\\n  ")
}
