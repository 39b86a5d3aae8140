"""What the scenario tests, the demo and the benchmark share: private servers, the exporter, clients that behave badly."""
