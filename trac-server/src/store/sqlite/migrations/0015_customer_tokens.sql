-- The secret of a publishable key by which the merchant's server makes customer tokens. Sealed; NULL until one is made.
ALTER TABLE api_key ADD COLUMN token_secret TEXT;
