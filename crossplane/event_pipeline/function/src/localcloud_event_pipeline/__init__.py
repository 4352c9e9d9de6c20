"""Composition function of the kind EventPipeline."""
