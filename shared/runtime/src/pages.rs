//! What a service says about itself: the problem pages that `type` points to, and its OpenAPI document.

use std::fmt::Write;

use actix_web::http::header::ACCEPT;
use actix_web::{HttpRequest, HttpResponse, web};
use contracts::problems::Code;
use serde_json::{Value, json};

use crate::ApiError;

/// The text of an OpenAPI document.
pub(crate) struct OpenApi(pub(crate) String);

pub(crate) async fn openapi(document: web::Data<OpenApi>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(document.0.clone())
}

pub(crate) async fn all(request: HttpRequest) -> HttpResponse {
    if wants_json(&request) {
        return HttpResponse::Ok().json(Code::ALL.iter().map(|code| entry(*code)).collect::<Vec<_>>());
    }
    let mut rows = String::from("<h1>Problems</h1><ul>");
    for code in Code::ALL {
        let (name, problem) = (code.as_str(), code.problem());
        let _ = write!(rows, r#"<li><a href="/problems/{name}">{name}</a> {} {}</li>"#, problem.status, problem.title);
    }
    html("Problems", &(rows + "</ul>"))
}

pub(crate) async fn one(request: HttpRequest, name: web::Path<String>) -> Result<HttpResponse, ApiError> {
    let code: Code = name.parse().map_err(|()| ApiError::new(Code::NotFound, "no such problem"))?;
    let entry = entry(code);
    if wants_json(&request) {
        return Ok(HttpResponse::Ok().json(entry));
    }
    let mut page = String::new();
    for (field, heading) in [
        ("status", "Status"),
        ("retry", "Retry"),
        ("who", "Put right by"),
        ("meaning", "Meaning"),
        ("example", "Example"),
    ] {
        let value = entry.get(field).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        let _ = write!(page, "<dt>{heading}</dt><dd>{}</dd>", escaped(&value.unwrap_or_default()));
    }
    let (name, title) = (code.as_str(), code.problem().title);
    Ok(html(name, &format!("<h1>{}</h1><p><code>{name}</code></p><dl>{page}</dl>", escaped(title))))
}

fn entry(code: Code) -> Value {
    let problem = code.problem();
    json!({
        "code": code.as_str(), "title": problem.title, "status": problem.status, "retry": problem.retry,
        "meaning": problem.meaning, "example": problem.example, "who": problem.who,
    })
}

fn wants_json(request: &HttpRequest) -> bool {
    request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok()).is_some_and(|accept| accept.contains("json"))
}

fn html(title: &str, body: &str) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .body(format!("<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title>{body}</html>"))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
