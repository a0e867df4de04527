//! Extensions of an element.

use fhir::json::Node;

/// The extensions of this url, in order.
pub(super) fn extensions<'a>(element: Node<'a>, url: &'static str) -> impl Iterator<Item = Node<'a>> {
    let all = element.get("extension").into_iter().flat_map(Node::items);
    all.filter(move |extension| extension.get("url").is_some_and(|it| it.is_str(url)))
}

/// The first extension of this url.
pub(super) fn extension<'a>(element: Node<'a>, url: &'static str) -> Option<Node<'a>> {
    extensions(element, url).next()
}
