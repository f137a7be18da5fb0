//! Refuses schemas whose checking takes exponential time or never ends.
//!
//! A schema is seen as a graph of subschemas. An edge either stays at the
//! same value (`allOf`, `anyOf`, `$ref` …) or steps to a member or item. A
//! cycle of staying edges never ends; many staying paths multiply; and a
//! recursion that visits the same member twice doubles with every level of
//! the document.

use std::collections::HashMap;

use domain::json::Pointer;
use domain::{Fault, Text};
use serde_json::Value;

use super::keywords::{self, Relation, Targets};
use super::patterns::Steps;
use super::{Problem, Section};
use crate::code;

/// Most subschemas that may be asked about one value.
const MOST_AT_ONE_VALUE: u64 = 10_000;
/// Longest chain of subschemas at one value; each costs stack.
const LONGEST_CHAIN: u32 = 40;

/// Reports the first reason why checking could take too long.
pub(super) fn check(section: Section, schema: &Value, problems: &mut Vec<Problem>) {
    let graph = Graph::of(schema);
    let Some((node, text)) = graph.staying().or_else(|| graph.doubling()) else { return };
    let fault = Fault::error(code::SCHEMA_TOO_COMPLEX, text);
    problems.push(Problem::new(section, &graph.places[node], fault));
}

/// Steps for each byte of text that the patterns of a schema take, each as
/// often as references bring it to one value. The schema has passed
/// [`check`], so following them ends.
pub(super) fn of_patterns(schema: &Value) -> Steps {
    let graph = Graph::of(schema);
    let mut known: Vec<Option<Steps>> = vec![None; graph.edges.len()];
    let all = (0..graph.edges.len()).map(|node| graph.pattern_steps(node, schema, &mut known));
    all.fold(Steps::default(), Steps::and)
}

/// The most assertions that are made about one item or member of a document,
/// each as often as references bring it there. The schema has passed
/// [`check`], so following them ends.
pub(super) fn of_values(schema: &Value) -> u64 {
    let graph = Graph::of(schema);
    let mut known: Vec<Option<u64>> = vec![None; graph.edges.len()];
    let steps = graph.edges.iter().flatten().filter(|edge| !edge.stays);
    steps.map(|edge| graph.assertions(edge.to, schema, &mut known)).max().unwrap_or(1).max(1)
}

struct Edge {
    to: usize,
    stays: bool,
    keyword: &'static str,
}

struct Graph {
    places: Vec<String>,
    edges: Vec<Vec<Edge>>,
}

impl Graph {
    fn of(schema: &Value) -> Self {
        let mut graph = Self { places: Vec::new(), edges: Vec::new() };
        let targets = Targets::of(schema);
        let mut index: HashMap<String, usize> = HashMap::new();
        let mut nodes = Vec::new();
        let mut open = vec![(Pointer::root(), schema)];
        // A reference may lead to a place that no keyword makes a schema.
        while let Some((at, node)) = open.pop() {
            if index.contains_key(at.as_str()) {
                continue;
            }
            index.insert(at.to_string(), graph.places.len());
            graph.places.push(at.to_string());
            let children = keywords::children(node, &at);
            open.extend(children.into_iter().map(|(_, _, place, child)| (place, child)));
            let target = reference(&targets, node);
            if let Some(pointer) = target
                && let Some(value) = schema.pointer(&pointer)
                && !index.contains_key(&pointer)
            {
                let at = pointer.split('/').skip(1).fold(Pointer::root(), |at, part| {
                    at.key(&part.replace("~1", "/").replace("~0", "~"))
                });
                open.push((at, value));
            }
            nodes.push((at, node));
        }
        for (at, node) in nodes {
            let mut edges = Vec::new();
            for (relation, keyword, place, _) in keywords::children(node, &at) {
                let stays = match relation {
                    Relation::Also | Relation::Maybe => true,
                    Relation::Child | Relation::MaybeChild => false,
                    Relation::Definition => continue,
                };
                edges.push(Edge { to: index[place.as_str()], stays, keyword });
            }
            if let Some(to) = reference(&targets, node).and_then(|at| index.get(&at)) {
                edges.push(Edge { to: *to, stays: true, keyword: "$ref" });
            }
            graph.edges.push(edges);
        }
        graph
    }

    /// A cycle, a chain or a multiplication among staying edges.
    fn staying(&self) -> Option<(usize, Text)> {
        let mut costs: Vec<Option<(u64, u32)>> = vec![None; self.edges.len()];
        let mut on_path = vec![false; self.edges.len()];
        for start in 0..self.edges.len() {
            if let Err(fault) = self.staying_cost(start, &mut costs, &mut on_path, 0) {
                return Some(fault);
            }
        }
        None
    }

    fn staying_cost(
        &self,
        node: usize,
        costs: &mut [Option<(u64, u32)>],
        on_path: &mut [bool],
        depth: u32,
    ) -> Result<(u64, u32), (usize, Text)> {
        if on_path[node] {
            return Err((
                node,
                Text::new(
                    "this `$ref` leads back to itself without descending into the value, so checking would never end",
                    "ce `$ref` revient à lui-même sans descendre dans la valeur, la vérification ne finirait jamais",
                ),
            ));
        }
        if let Some(known) = costs[node] {
            return Ok(known);
        }
        let too_much = (
            node,
            Text::new(
                "too many subschemas apply to one value here, so checking would take too long; simplify `allOf`, `anyOf`, `oneOf` and `$ref`",
                "trop de sous-schémas s’appliquent ici à une même valeur, la vérification serait trop longue ; simplifiez `allOf`, `anyOf`, `oneOf` et `$ref`",
            ),
        );
        if depth > 4 * LONGEST_CHAIN {
            return Err(too_much);
        }
        on_path[node] = true;
        let (mut cost, mut chain) = (1_u64, 0);
        for edge in self.edges[node].iter().filter(|edge| edge.stays) {
            let (more, longest) = self.staying_cost(edge.to, costs, on_path, depth + 1)?;
            cost = cost.saturating_add(more);
            chain = chain.max(longest);
        }
        on_path[node] = false;
        if cost > MOST_AT_ONE_VALUE || chain + 1 > LONGEST_CHAIN {
            return Err(too_much);
        }
        costs[node] = Some((cost, chain + 1));
        Ok((cost, chain + 1))
    }

    /// Steps of a node's own patterns and of those that it brings along.
    fn pattern_steps(&self, node: usize, schema: &Value, known: &mut [Option<Steps>]) -> Steps {
        if let Some(known) = known[node] {
            return known;
        }
        let own = schema.pointer(&self.places[node]).map_or_else(Steps::default, Steps::of);
        let brought = self.edges[node].iter().filter(|edge| edge.stays);
        let steps =
            brought.fold(own, |sum, edge| sum.and(self.pattern_steps(edge.to, schema, known)));
        known[node] = Some(steps);
        steps
    }

    /// Assertions of a node and of those that it brings along.
    fn assertions(&self, node: usize, schema: &Value, known: &mut [Option<u64>]) -> u64 {
        if let Some(known) = known[node] {
            return known;
        }
        let own = schema.pointer(&self.places[node]).map_or(0, assertions);
        let brought = self.edges[node].iter().filter(|edge| edge.stays);
        let all = brought.fold(own, |sum: u64, edge| {
            sum.saturating_add(self.assertions(edge.to, schema, known))
        });
        known[node] = Some(all);
        all
    }

    /// A recursion that reaches one member along two ways.
    fn doubling(&self) -> Option<(usize, Text)> {
        let component = self.components();
        for (node, edges) in self.edges.iter().enumerate() {
            let within =
                |edge: &&Edge| component[edge.to] == component[node] && edge.to != usize::MAX;
            let inner: Vec<&Edge> =
                edges.iter().filter(within).filter(|edge| edge.to != node || !edge.stays).collect();
            let stays = inner.iter().filter(|edge| edge.stays).count();
            let overlapping = inner.iter().filter(|edge| {
                matches!(
                    edge.keyword,
                    "patternProperties" | "contains" | "unevaluatedItems" | "unevaluatedProperties"
                )
            });
            if (stays > 0 && inner.len() > 1) || (overlapping.count() > 0 && inner.len() > 1) {
                return Some((
                    node,
                    Text::new(
                        "this schema refers back to itself along more than one way for the same value, so checking would take exponential time; keep one recursive branch",
                        "ce schéma revient à lui-même par plusieurs voies pour une même valeur, la vérification prendrait un temps exponentiel ; ne gardez qu’une branche récursive",
                    ),
                ));
            }
        }
        None
    }

    /// The strongly connected component of each node (Kosaraju's algorithm,
    /// without recursion because a reference chain can be long).
    fn components(&self) -> Vec<usize> {
        let count = self.edges.len();
        let mut order = Vec::with_capacity(count);
        let mut seen = vec![false; count];
        for start in 0..count {
            let mut stack = vec![(start, 0)];
            while let Some((node, next)) = stack.pop() {
                if next == 0 && std::mem::replace(&mut seen[node], true) {
                    continue;
                }
                match self.edges[node].get(next) {
                    Some(edge) => {
                        stack.push((node, next + 1));
                        if !seen[edge.to] {
                            stack.push((edge.to, 0));
                        }
                    }
                    None => order.push(node),
                }
            }
        }
        let mut backward = vec![Vec::new(); count];
        for (from, edges) in self.edges.iter().enumerate() {
            for edge in edges {
                backward[edge.to].push(from);
            }
        }
        let mut component = vec![usize::MAX; count];
        for &start in order.iter().rev() {
            let mut stack = vec![start];
            while let Some(node) = stack.pop() {
                if component[node] == usize::MAX {
                    component[node] = start;
                    stack.extend(&backward[node]);
                }
            }
        }
        component
    }
}

fn reference(targets: &Targets<'_>, node: &Value) -> Option<String> {
    let reference = node.get("$ref").or_else(|| node.get("$dynamicRef"))?;
    targets.target(reference.as_str()?)
}

/// How many of a schema's own keywords a value can violate; each name that is
/// asked for is one.
fn assertions(schema: &Value) -> u64 {
    let Value::Object(members) = schema else { return 1 };
    let each = members.iter().map(|(keyword, value)| match (keyword.as_str(), value) {
        ("required", Value::Array(names)) => names.len(),
        ("dependentRequired", Value::Object(lists)) => {
            lists.values().filter_map(Value::as_array).map(Vec::len).sum()
        }
        ("type" | "enum" | "const" | "multipleOf" | "pattern" | "format" | "uniqueItems", _) => 1,
        (keyword, _) => {
            let bounds = ["min", "max", "exclusive", "additional", "unevaluated", "contains"];
            usize::from(bounds.into_iter().any(|start| keyword.starts_with(start)))
        }
    });
    1 + each.sum::<usize>() as u64
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(schema: &Value) -> bool {
        let mut problems = Vec::new();
        check(Section::Inputs, schema, &mut problems);
        !problems.is_empty()
    }

    #[test]
    fn lists_and_trees_may_recurse() {
        assert!(!refused(&json!({"type": "object", "properties": {"a": {"type": "number"}}})));
        assert!(!refused(&json!({"properties": {"next": {"$ref": "#"}, "other": {"$ref": "#"}}})));
        assert!(!refused(&json!({
            "$defs": {"node": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/full"}]},
                      "full": {"properties": {"l": {"$ref": "#/$defs/node"}, "r": {"$ref": "#/$defs/node"}}}},
            "$ref": "#/$defs/node"
        })));
    }

    #[test]
    fn a_reference_to_itself_never_ends_and_is_refused() {
        assert!(refused(&json!({"$ref": "#"})));
        assert!(refused(
            &json!({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"allOf": [{"$ref": "#/$defs/a"}]}}, "$ref": "#/$defs/a"})
        ));
    }

    #[test]
    fn doubling_at_every_level_is_refused() {
        assert!(refused(&json!({"properties": {"a": {"allOf": [{"$ref": "#"}, {"$ref": "#"}]}}})));
        assert!(refused(
            &json!({"properties": {"a": {"$ref": "#"}}, "patternProperties": {"a": {"$ref": "#"}}})
        ));
        let mut defs = serde_json::Map::new();
        for level in 0..30 {
            let next = json!({"$ref": format!("#/$defs/d{}", level + 1)});
            defs.insert(format!("d{level}"), json!({"allOf": [next, next]}));
        }
        defs.insert("d30".into(), json!({"type": "number"}));
        assert!(refused(&json!({"$defs": defs, "$ref": "#/$defs/d0"})));
    }
}
