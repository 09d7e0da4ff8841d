"""What larder-bench is made of: programs, load, statistics, reports. Scenarios are beside it."""
