//! What a headless Service may not have. It is not recorded, but stands in the text of its manifest.

use crate::remedy::{
    edit::text::with,
    manifest::{Document, Edit, PathStep, keys},
};

/// Takes out what only a Service with an address, or one of nodes, may have: the API server refuses
/// a headless one with it (`ValidateService` in `pkg/apis/core/validation`).
pub(super) fn not_of_a_headless_service(document: &Document) -> Vec<Edit> {
    const FIELDS: [&str; 7] = [
        "clusterIPs",
        "externalTrafficPolicy",
        "healthCheckNodePort",
        "loadBalancerIP",
        "loadBalancerClass",
        "loadBalancerSourceRanges",
        "allocateLoadBalancerNodePorts",
    ];
    let (spec, ports) = (keys("spec"), keys("spec.ports"));
    let fields = FIELDS.iter().map(|it| with(&spec, it));
    let node_ports = (0..document.count(&ports)).map(|place| {
        let port = [ports.clone(), vec![PathStep::Item(place)]].concat();
        with(&port, "nodePort")
    });
    fields.chain(node_ports).filter(|it| document.has(it)).map(Edit::Remove).collect()
}

#[cfg(test)]
mod tests {
    use super::not_of_a_headless_service;
    use crate::remedy::manifest::Document;

    /// Catches a Service that is made headless, and that the API server then refuses.
    #[test]
    fn a_headless_service_has_nothing_of_a_load_balancer() {
        let text = "\
spec:
  type: LoadBalancer
  clusterIPs: [10.96.0.9]
  externalTrafficPolicy: Local
  healthCheckNodePort: 30001
  loadBalancerIP: 10.0.0.1
  loadBalancerClass: example.com/lb
  loadBalancerSourceRanges:
  - 10.0.0.0/8
  allocateLoadBalancerNodePorts: false
  publishNotReadyAddresses: true
  ports:
  - port: 80
    nodePort: 30080
    name: http
  - {port: 81, nodePort: 30081}
";
        let document = Document::read(text).unwrap();
        let edits = not_of_a_headless_service(&document);
        let mended = edits.iter().try_fold(document, |it, edit| it.edited(edit)).unwrap();
        let kept = "\
spec:
  type: LoadBalancer
  publishNotReadyAddresses: true
  ports:
  - port: 80
    name: http
  - {port: 81}
";
        assert_eq!(mended.text(), kept);
        assert!(not_of_a_headless_service(&mended).is_empty());
    }
}
