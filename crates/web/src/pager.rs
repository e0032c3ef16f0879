//! Long lists, a page at a time.

use askama::Template;

/// What stands below a list: which part of it this is, and the way to the others.
#[derive(Clone, Debug, Template)]
#[template(path = "parts/pager.html")]
pub struct Pager {
    pub page: usize,
    pub pages: usize,
    pub total: usize,
    per: usize,
    /// The address of the list, up to where `page=` is added.
    base: String,
}

impl Pager {
    /// `asked` counts from 1; what is beyond the end is the last page. `query` is that of the list, without
    /// its page.
    #[must_use]
    pub fn new(asked: usize, per: usize, total: usize, path: &str, query: &str) -> Pager {
        let pages = total.div_ceil(per).max(1);
        let base = if query.is_empty() { format!("{path}?") } else { format!("{path}?{query}&") };
        Pager { page: asked.clamp(1, pages), pages, total, per, base }
    }

    /// The part of the list that this page shows.
    #[must_use]
    pub fn part<T>(&self, all: Vec<T>) -> Vec<T> {
        all.into_iter().skip((self.page - 1) * self.per).take(self.per).collect()
    }

    fn first(&self) -> u64 {
        ((self.page - 1) * self.per + 1).min(self.total) as u64
    }

    fn last(&self) -> u64 {
        (self.page * self.per).min(self.total) as u64
    }

    fn address(&self, page: usize) -> String {
        format!("{}page={page}", self.base)
    }

    #[must_use]
    pub fn all(&self) -> u64 {
        self.total as u64
    }

    fn before(&self) -> Option<String> {
        (1 < self.page).then(|| self.address(self.page - 1))
    }

    fn after(&self) -> Option<String> {
        (self.page < self.pages).then(|| self.address(self.page + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_cut_into_pages_and_nothing_is_left_out() {
        let all: Vec<u32> = (0..101).collect();
        for (asked, page, first, last) in [(0, 1, 1, 50), (1, 1, 1, 50), (3, 3, 101, 101), (9, 3, 101, 101)] {
            let pager = Pager::new(asked, 50, all.len(), "/statements", "period=2025-01");
            assert_eq!((pager.page, pager.first(), pager.last()), (page, first, last), "page {asked}");
            let part = pager.part(all.clone());
            assert_eq!(part.first().map(|first| u64::from(*first) + 1), Some(first));
        }
        let empty = Pager::new(1, 50, 0, "/statements", "");
        assert_eq!((empty.pages, empty.first(), empty.last()), (1, 0, 0));
        let second = Pager::new(2, 50, 101, "/statements", "state=sent");
        assert_eq!(second.before().as_deref(), Some("/statements?state=sent&page=1"));
        assert_eq!(second.after().as_deref(), Some("/statements?state=sent&page=3"));
    }
}
