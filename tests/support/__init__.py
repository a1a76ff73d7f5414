"""What several tests share: tiny models, real text, configurations, and cases as tables."""
