//! Resources: the outermost, contained ones, and those in bundles and parameters.

use super::contained::Contained;
use super::issues::Issues;
use super::nearest::nearest;
use super::path::Path;
use super::primitive::{fault, kind_name};
use super::reference::Bundle;
use crate::Definitions;
use crate::definitions::{Structure, StructureKind};
use crate::fhirpath::{Context, ElementNode};
use crate::json::{Kind, Node};
use crate::outcome::{IssueType, quoted};

/// The walk over one document.
pub(super) struct Walk<'a> {
    pub(super) definitions: &'static Definitions,
    pub(super) issues: Issues,
    /// What expressions are evaluated in: the resources around the current element.
    pub(super) context: Context<'a>,
    /// The contained resources of the resource around the current element.
    pub(super) contained: Contained<'a>,
    /// The innermost Bundle around the current element.
    pub(super) bundle: Option<Bundle<'a>>,
}

/// Validates the outermost resource.
pub(super) fn validate(definitions: &'static Definitions, root: Node<'_>) -> Issues {
    let mut issues = Issues::default();
    let resource = match element_node(definitions, root) {
        Ok(resource) => resource,
        Err((code, message)) => {
            issues.without_place(code, message);
            return issues;
        }
    };
    let mut walk = Walk::new(definitions, issues, resource);
    walk.independent(resource, root, &Path::root(resource.structure.name));
    walk.issues
}

/// Validates a value of a data type that stands by itself.
pub(super) fn validate_value(
    definitions: &'static Definitions,
    data_type: &'static Structure,
    node: Node<'_>,
) -> Issues {
    let mut issues = Issues::default();
    let path = Path::root(data_type.name);
    if data_type.kind == StructureKind::Primitive {
        if let Some(fault) = fault(data_type.name, node) {
            issues.error(&path, fault.code, || fault.message);
        }
        return issues;
    }
    if node.kind() != Kind::Object {
        issues.error(&path, IssueType::Structure, || {
            format!("a {} is an object, not {}", data_type.name, kind_name(node.kind()))
        });
        return issues;
    }
    let value = ElementNode { value: Some(node), sibling: None, structure: data_type, element: None };
    let mut walk = Walk::new(definitions, issues, value);
    walk.object(node, data_type, &path);
    walk.invariants(value, &path);
    walk.issues
}

/// The resource at `node`, or why it is none.
fn element_node<'a>(definitions: &'static Definitions, node: Node<'a>) -> Result<ElementNode<'a>, (IssueType, String)> {
    if node.kind() != Kind::Object {
        return Err((IssueType::Structure, format!("a resource is an object, not {}", kind_name(node.kind()))));
    }
    let Some(resource_type) = node.get("resourceType") else {
        return Err((IssueType::Structure, "the resource has no `resourceType`".to_owned()));
    };
    let name = resource_type.as_str().unwrap_or(resource_type.raw().into());
    let structure = definitions.structure(&name).filter(|_| definitions.is_resource_type(&name));
    let structure = structure.ok_or_else(|| {
        let found = quoted(&name);
        let proposal = match nearest(&name, definitions.resource_types().iter().copied()) {
            Some(nearest) => format!("; the nearest is `{nearest}`"),
            None => String::new(),
        };
        (IssueType::Structure, format!("{found} is not a resource type of R4{proposal}"))
    })?;
    Ok(ElementNode { value: Some(node), sibling: None, structure, element: None })
}

impl<'a> Walk<'a> {
    /// A walk that begins at `root`.
    fn new(definitions: &'static Definitions, issues: Issues, root: ElementNode<'a>) -> Walk<'a> {
        // No invariant of R4 asks for the time.
        let now = crate::Instant(0);
        let (resolver, library, variables) = (None, None, &[][..]);
        let context = Context { definitions, resource: root, root_resource: root, resolver, library, variables, now };
        Walk { definitions, issues, context, contained: Contained::default(), bundle: None }
    }

    /// A resource inside another one.
    pub(super) fn inner_resource(&mut self, node: Node<'a>, path: &Path<'_>) {
        let resource = match element_node(self.definitions, node) {
            Ok(resource) => resource,
            Err((code, message)) => return self.issues.error(path, code, || message),
        };
        let is_contained = path.name() == "contained";
        let outer = self.context;
        self.context.resource = resource;
        if is_contained {
            self.contained.enter(node);
            self.refuse_nesting(node, path);
            self.object(node, resource.structure, path);
            self.invariants(resource, path);
            self.contained.leave();
        } else {
            self.context.root_resource = resource;
            let contained = std::mem::take(&mut self.contained);
            self.independent(resource, node, path);
            self.contained = contained;
        }
        self.context = outer;
    }

    /// A resource that is not contained in another one.
    fn independent(&mut self, resource: ElementNode<'a>, node: Node<'a>, path: &Path<'_>) {
        self.contained = Contained::of(node);
        let outer = match resource.structure.name {
            "Bundle" => Some(self.bundle.replace(Bundle::of(node))),
            _ => None,
        };
        self.object(node, resource.structure, path);
        self.invariants(resource, path);
        if let Some(bundle) = outer {
            self.bundle = bundle;
        }
        self.contained.check(&mut self.issues, path);
    }

    /// The rules for what a contained resource must not have: dom-2, dom-4 and dom-5.
    fn refuse_nesting(&mut self, node: Node<'a>, path: &Path<'_>) {
        let meta = path.child("meta");
        let cases = [
            (
                path.child("contained"),
                node.get("contained"),
                "a contained resource holds no contained resources (dom-2)",
            ),
            (meta.child("versionId"), node.path(&["meta", "versionId"]), "a contained resource has no version (dom-4)"),
            (
                meta.child("lastUpdated"),
                node.path(&["meta", "lastUpdated"]),
                "a contained resource has no time of its last update (dom-4)",
            ),
            (
                meta.child("security"),
                node.path(&["meta", "security"]),
                "a contained resource has no security label, its container has (dom-5)",
            ),
        ];
        for (path, found, message) in cases {
            if found.is_some() {
                self.issues.error(&path, IssueType::Invariant, || message.to_owned());
            }
        }
    }
}
