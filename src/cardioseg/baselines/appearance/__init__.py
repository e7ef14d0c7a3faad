"""Active appearance models: shape and texture by principal components, fitted by regression."""
