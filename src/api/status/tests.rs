use std::collections::BTreeSet;

use super::document;
use crate::api::query::parameters;
use crate::api::route::ROUTES;

#[test]
fn the_openapi_document_names_every_route_and_no_other() {
    let table: BTreeSet<_> = ROUTES
        .iter()
        .map(|route| (route.path.to_owned(), route.method.as_str().to_lowercase()))
        .collect();
    let paths = document()["paths"].as_object().expect("paths");
    let described: BTreeSet<_> = paths
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().expect("a path item");
            methods
                .keys()
                .filter(|key| ["get", "post", "delete", "put", "patch"].contains(&key.as_str()))
                .map(|method| (path.clone(), method.clone()))
                .collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(table, described);
}

#[test]
fn the_openapi_document_excepts_no_route_from_the_local_socket() {
    let text = document().to_string().to_lowercase();
    assert!(text.contains("the same routes are served as plain http on a unix socket"));
    assert!(!text.contains("not served on the local socket"));
}

#[test]
fn the_openapi_document_names_every_query_parameter_and_no_other() {
    let shared = &document()["components"]["parameters"];
    for route in ROUTES {
        let method = route.method.as_str().to_lowercase();
        let listed = &document()["paths"][route.path][method]["parameters"];
        let described: BTreeSet<_> = listed
            .as_array()
            .into_iter()
            .flatten()
            .map(|parameter| match parameter["$ref"].as_str() {
                Some(place) => &shared[place.rsplit('/').next().expect("a name")],
                None => parameter,
            })
            .filter(|parameter| parameter["in"] == "query")
            .map(|parameter| parameter["name"].as_str().expect("a name"))
            .collect();
        let known: BTreeSet<_> = parameters(route.path).iter().copied().collect();
        assert_eq!(known, described, "{}", route.path);
    }
}
