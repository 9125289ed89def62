//! Lists that come in pages.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ListMeta;
use kube::api::ListParams;

/// So many objects are in one page.
pub(crate) const PAGE_OBJECTS: u32 = 500;

/// The first page of a list.
pub(crate) fn first_page() -> ListParams {
    ListParams::default().limit(PAGE_OBJECTS)
}

/// What asks for the page that follows on one; `None` where that was the last.
pub(crate) fn next_page(params: &ListParams, page: &ListMeta) -> Option<ListParams> {
    let next = page.continue_.as_deref().filter(|it| !it.is_empty())?;
    Some(params.clone().continue_token(next))
}
