//! The parameters of the filters and algorithms, as they are declared for forms and documents.

use job_runner::{Declaration, JobKind, Parameter, ParameterType};

use crate::filter::Subject;

/// The parameters of a kind of work; `None` for an unknown one.
///
/// ```
/// use job_demo::declared::declared;
/// use job_runner::JobKind;
///
/// let pagerank = declared(&JobKind::Algorithm("pagerank".to_owned())).ok_or("no such algorithm")?;
/// let names: Vec<&str> = pagerank.parameters.iter().map(|parameter| parameter.name.as_str()).collect();
/// assert_eq!(names, ["alpha", "convergence", "max_iterations", "directed", "num_thread"]);
/// # Ok::<(), &str>(())
/// ```
#[must_use]
pub fn declared(kind: &JobKind) -> Option<Declaration> {
    match kind {
        JobKind::VertexFilter => Some(filter(Subject::Vertices)),
        JobKind::EdgeFilter => Some(filter(Subject::Edges)),
        JobKind::Algorithm(name) => algorithm(name),
        // An action takes a whole body, not parameters.
        JobKind::Action(_) => None,
    }
}

fn filter(subject: Subject) -> Declaration {
    let (what, filters) = match subject {
        Subject::Vertices => ("Vertices", "vertexFilters"),
        Subject::Edges => ("Edges", "edgeFilters"),
    };
    Declaration::new(format!(
        "{what} with one of these labels that meet these conditions; give at least one of the two"
    ))
    .parameter(
        Parameter::list("labels", ParameterType::String).format("label").about("The labels; all if it is empty"),
    )
    .parameter(
        Parameter::list(filters, ParameterType::Object)
            .about("The conditions, joined from left to right: propertyName, predicate, values, type (and, or)"),
    )
    .parameter(
        Parameter::list("sorts", ParameterType::Object)
            .about("The order of the rows: key and orderValue (incr, decr); without it that of the graph"),
    )
    .parameter(Parameter::integer("offset").from(0).default(0).about("How many of the first matches are left out"))
    .parameter(Parameter::integer("limit").from(0).about("The most rows; all by default"))
}

fn algorithm(name: &str) -> Option<Declaration> {
    of_vertices(name).or_else(|| of_communities(name)).or_else(|| of_two_vertices(name))
}

/// The ranks, distances and neighbours of vertices.
fn of_vertices(name: &str) -> Option<Declaration> {
    let algorithm = match name {
        "pagerank" => power(Declaration::new("How often a random walk along the edges visits each vertex")),
        "personalrank" => power(
            Declaration::new("How often a random walk that restarts at one vertex visits each vertex")
                .parameter(vertex("source", "The vertex where the walk starts")),
        )
        .parameter(weight("of an edge, above 0, by which a walk chooses; without it every edge has weight 1")),
        "kcore" => Declaration::new(
            "The coreness of every vertex: the greatest k such that it is in a part where each has k neighbours",
        )
        .parameter(
            Parameter::integer("k")
                .from(0)
                .to(u32::MAX)
                .default(0)
                .about("Only vertices with this coreness or more"),
        ),
        "k_hop" => Declaration::new("The vertices at most k edges away")
            .parameter(vertex("source", "The vertex where the search starts"))
            .parameter(Parameter::integer("k").from(1).to(100).required().about("The most edges from the source"))
            .parameter(
                Parameter::text("mode")
                    .one_of(["OUT", "IN", "ALL"])
                    .default("OUT")
                    .about("Whether edges are followed to their target, to their source, or both ways"),
            )
            .parameter(
                Parameter::boolean("statistics")
                    .default(false)
                    .about("Whether only their number is given, without their ids"),
            )
            .parameter(threads()),
        "shortest_path" => Declaration::new("One shortest path between two vertices")
            .parameter(vertex("source", "The vertex where the path starts"))
            .parameter(vertex("target", "The vertex where the path ends"))
            .parameter(length())
            .parameter(directed(false))
            .parameter(Parameter::object("timeWindow").about(
                "The time of vertices and edges: filterName (the property), filterType (V, E, BOTH), startTime, endTime",
            )),
        "sssp" => Declaration::new("The length of the shortest path from one vertex to every other")
            .parameter(vertex("source", "The vertex where the paths start"))
            .parameter(length())
            .parameter(directed(true)),
        _ => return None,
    };
    Some(algorithm)
}

/// Communities, triangles and figures of the whole graph.
fn of_communities(name: &str) -> Option<Declaration> {
    let algorithm = match name {
        "connected_component" => Declaration::new("Sets of vertices that edges connect, in either direction"),
        "label_propagation" => {
            Declaration::new("Communities: each vertex gets the label that most of its neighbours have")
                .parameter(convergence("An iteration that changes a smaller share of the vertices is the last"))
                .parameter(iterations(1000))
                .parameter(
                    Parameter::text("initial")
                        .format("property")
                        .about("The vertex property with known labels, which stay; none by default"),
                )
                .parameter(weight("of a vote, above 0; without it every edge has weight 1"))
        }
        "triangle_count" => {
            Declaration::new("The number of triangles: three vertices with an edge between every two").parameter(
                Parameter::boolean("statistics")
                    .default(true)
                    .about("Whether only the total is given, without the triangles of each vertex"),
            )
        }
        "cluster_coefficient" => {
            Declaration::new("How often two neighbours of a vertex are neighbours themselves").parameter(
                Parameter::boolean("statistics")
                    .default(true)
                    .about("Whether only the mean is given, without the coefficient of each vertex"),
            )
        }
        "degree_correlation" => {
            Declaration::new("How far vertices have edges to vertices of a like degree").parameter(directed(true))
        }
        "closeness" => {
            Declaration::new("How near one vertex is to all others").parameter(vertex("source", "The vertex"))
        }
        _ => return None,
    };
    Some(algorithm)
}

/// Paths and likeness between two vertices.
fn of_two_vertices(name: &str) -> Option<Declaration> {
    let algorithm = match name {
        "all_shortest_paths" => {
            ends(Declaration::new("Every shortest path between two vertices; at most 1,000,000 are listed"))
                .parameter(directed(false))
        }
        "n_paths" => ends(Declaration::new(
            "Some paths between two vertices that visit no vertex twice, the shortest first",
        ))
        .parameter(directed(false))
        .parameter(Parameter::integer("n").from(1).to(100).default(10).about("The most paths"))
        .parameter(Parameter::integer("k").from(1).to(10).default(5).about("The most edges of a path")),
        "common_neighbors" => ends(Declaration::new("The vertices that are neighbours of two vertices at once")),
        "link_prediction" => ends(Declaration::new("How alike the neighbours of two vertices are, from 0 to 1")),
        "louvain" => {
            Declaration::new("Communities with many edges inside and few between, found by their modularity")
                .parameter(convergence("An iteration that raises the modularity by less is the last"))
                .parameter(iterations(100))
                .parameter(weight("of an edge, above 0; without it every edge has weight 1"))
        }
        "betweenness" => {
            Declaration::new("How many shortest paths between other vertices lead through each vertex")
                .parameter(directed(true))
                .parameter(length())
                .parameter(
                    Parameter::list("seeds", ParameterType::String)
                        .format("vertex")
                        .about("Only paths that begin here are counted, and stand for all"),
                )
                .parameter(
                    Parameter::integer("k")
                        .from(1)
                        .to(100_000)
                        .about("So many vertices are chosen by chance as seeds; a large graph needs it"),
                )
        }
        _ => return None,
    };
    Some(algorithm)
}

/// Adds the parameters that the two ranks share.
fn power(declaration: Declaration) -> Declaration {
    declaration
        .parameter(
            Parameter::number("alpha")
                .above(0)
                .below(1)
                .default(0.85)
                .about("The chance that the walk follows an edge and does not restart"),
        )
        .parameter(convergence("An iteration that changes all ranks together by less is the last"))
        .parameter(iterations(1000))
        .parameter(directed(true))
        .parameter(threads())
}

/// A number out of range is no error, so the declaration has no bounds.
fn threads() -> Parameter {
    Parameter::integer("num_thread")
        .default(4)
        .about("The most threads; a number below 1 is 1, one above 40 is 40")
}

/// Adds two vertices.
fn ends(declaration: Declaration) -> Declaration {
    declaration.parameter(vertex("source", "The one vertex")).parameter(vertex("target", "The other vertex"))
}

fn vertex(name: &str, about: &str) -> Parameter {
    Parameter::text(name).format("vertex").required().about(about)
}

fn length() -> Parameter {
    Parameter::text("weight")
        .format("property")
        .about("The edge property with the length of an edge, above 0; without it every edge has length 1")
}

fn weight(about: &str) -> Parameter {
    Parameter::text("weight").format("property").about(format!("The edge property with the weight {about}"))
}

fn directed(default: bool) -> Parameter {
    Parameter::boolean("directed").default(default).about("Whether edges are followed from source to target only")
}

fn convergence(about: &str) -> Parameter {
    Parameter::number("convergence").also("coveragence").above(0).below(1).default(0.000_01).about(about)
}

fn iterations(default: u32) -> Parameter {
    Parameter::integer("max_iterations").from(1).to(i32::MAX).default(default).about("The most iterations")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Map, Value, json};

    use super::*;
    use crate::{algorithms::Algorithm, filter::Filter, graph::Graph, movies};

    fn declaration(algorithm: Algorithm) -> Declaration {
        declared(&JobKind::Algorithm(algorithm.name().to_owned()))
            .unwrap_or_else(|| panic!("{} declares nothing", algorithm.name()))
    }

    /// A request with the required parameters only.
    fn least(declared: &Declaration) -> Map<String, Value> {
        let value = |parameter: &Parameter| match parameter.format.as_deref() {
            Some("vertex") => json!("Sarah"),
            _ => parameter.minimum.clone().unwrap(),
        };
        let required = declared.parameters.iter().filter(|parameter| parameter.required);
        required.map(|parameter| (parameter.name.clone(), value(parameter))).collect()
    }

    fn refused(
        algorithm: Algorithm,
        graph: &Graph,
        request: &Map<String, Value>,
        name: &str,
        value: Value,
    ) -> Option<String> {
        let mut request = request.clone();
        request.insert(name.to_owned(), value);
        algorithm.check(graph, &json!(request).to_string()).err().map(|error| error.to_string())
    }

    #[test]
    fn every_algorithm_declares_the_parameters_that_it_knows_and_no_others() {
        let graph = movies::load().unwrap();
        for algorithm in Algorithm::ALL {
            let declared = declaration(algorithm);
            let request = least(&declared);
            assert!(algorithm.check(&graph, &json!(request).to_string()).is_ok(), "{}", algorithm.name());
            let told = refused(algorithm, &graph, &request, "alhpa", json!(1)).unwrap();
            let known = told.split_once("it must be one of ").map_or("", |(_, known)| known);
            let known: BTreeSet<&str> = known.split(", ").filter(|name| !name.is_empty()).collect();
            let names: BTreeSet<&str> = declared.parameters.iter().map(|one| one.name.as_str()).collect();
            assert_eq!(names, known, "{}", algorithm.name());
            for parameter in declared.parameters.iter().filter(|parameter| parameter.required) {
                let mut without = request.clone();
                without.remove(&parameter.name);
                let error = algorithm.check(&graph, &json!(without).to_string()).unwrap_err().to_string();
                assert!(error.starts_with(&format!("parameter {} is missing", parameter.name)), "{error}");
            }
        }
    }

    #[test]
    fn declared_bounds_and_defaults_are_those_of_the_algorithm() {
        let graph = movies::load().unwrap();
        for algorithm in Algorithm::ALL {
            let declared = declaration(algorithm);
            let request = least(&declared);
            for parameter in &declared.parameters {
                let refused = |value| refused(algorithm, &graph, &request, &parameter.name, value);
                let place = format!("{} {}", algorithm.name(), parameter.name);
                for value in parameter.default.iter().chain(&parameter.allowed) {
                    assert_eq!(refused(value.clone()), None, "{place}");
                }
                for (bound, is_out, beyond) in [
                    (&parameter.minimum, parameter.exclusive_minimum, -1_i32),
                    (&parameter.maximum, parameter.exclusive_maximum, 1),
                ] {
                    let Some(bound) = bound else { continue };
                    assert_eq!(refused(bound.clone()).is_some(), is_out, "{place} {bound}");
                    let further = match bound.as_i64() {
                        Some(bound) if parameter.kind == ParameterType::Integer => {
                            json!(bound + i64::from(beyond))
                        }
                        _ => json!(bound.as_f64().unwrap() + f64::from(beyond)),
                    };
                    assert!(refused(further).is_some(), "{place} beyond {bound}");
                }
                if !parameter.allowed.is_empty() {
                    assert!(refused(json!("nonsense")).is_some(), "{place}");
                }
            }
        }
    }

    #[test]
    fn every_declared_field_of_a_filter_is_taken() {
        let graph = movies::load().unwrap();
        for (kind, subject, label) in
            [(JobKind::VertexFilter, Subject::Vertices, "user"), (JobKind::EdgeFilter, Subject::Edges, "rate")]
        {
            let declared = declared(&kind).unwrap();
            let empty = |parameter: &Parameter| match parameter.kind {
                ParameterType::Array if parameter.name == "labels" => json!([label]),
                ParameterType::Array => json!([]),
                _ => json!(0),
            };
            let body: Map<String, Value> =
                declared.parameters.iter().map(|parameter| (parameter.name.clone(), empty(parameter))).collect();
            assert!(Filter::compile(&json!(body).to_string(), subject, &graph).is_ok(), "{kind}");
        }
    }
}
